'use strict';

// Has a program leak until its heap is full: `sync`, in one loop that never ends, or `async`, as a server does, some units a turn of the event
// loop. What is loaded first and stays is no leak, and takes a tenth of the smallest heap.

const PER_TURN = 50;

const catalogue = Array.from({ length: 20_000 }, (_, id) => ({ id, title: `title of article ${id}`, price: id * 1.5 }));

function drive(unit) {
  const mode = process.argv[2] ?? 'sync';
  let i = 0;
  if (mode === 'sync') {
    for (;;) unit(i++);
  }
  const turn = () => {
    for (let n = 0; n < PER_TURN; n++) unit(i++);
    setImmediate(turn);
  };
  turn();
}

module.exports = { catalogue, drive };
