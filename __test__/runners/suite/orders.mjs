const underWay = new Map();
let nextId = 0;

class Order {
  constructor(id) { // <-- leak
    this.id = id;
    this.lines = [];
  }
}

/** Takes an order, and never ships it. */
export function take() {
  underWay.set(++nextId, new Order(nextId));
}

export function takeAndShip() {
  take();
  underWay.delete(nextId);
}
