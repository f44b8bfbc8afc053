'use strict';

const { drive } = require('../drive.js');

const undoStack = [];

function edit(i) {
  const before = { text: `paragraph ${i}`, marks: [i, i + 1, i + 2] };
  undoStack.push(function undo() { return before; });
}

drive(edit);
