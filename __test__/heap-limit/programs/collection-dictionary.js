'use strict';

const { drive } = require('../drive.js');

class Profile {
  constructor(id) {
    this.name = `name ${id}`;
    this.seen = [id];
  }
}

const profiles = {};

drive((i) => { profiles[`user:${i}`] = new Profile(i); });
