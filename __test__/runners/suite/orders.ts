// What is only there for types moves the lines of what is left, unless a source map is followed.
interface Line {
  article: string;
  pieces: number;
}

interface Identified {
  readonly id: number;
}

type Orders = Map<number, Order>;

const underWay: Orders = new Map();
let nextId = 0;

class Order implements Identified {
  readonly id: number;
  private readonly lines: Line[] = [];

  constructor(id: number) { // <-- leak
    this.id = id;
  }

  get pieces(): number {
    return this.lines.reduce((sum: number, line: Line): number => sum + line.pieces, 0);
  }
}

/** Takes an order, and never ships it. */
export function take(): void {
  underWay.set(++nextId, new Order(nextId));
}

export function takeAndShip(): void {
  take();
  underWay.delete(nextId);
}
