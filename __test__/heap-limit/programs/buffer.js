'use strict';

const { drive } = require('../drive.js');

class Upload {
  constructor(id) {
    this.name = `file-${id}`;
    this.checksum = Buffer.from([id & 255, id >> 8]);
  }
}

const uploads = new Set();

drive((i) => { uploads.add(new Upload(i)); });
