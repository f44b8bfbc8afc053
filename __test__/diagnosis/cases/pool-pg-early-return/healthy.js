'use strict';

// A user API on PostgreSQL.

const express = require('express');
const { Pool } = require('pg');
const { client, drive, listening } = require('../../drive.js');
const { standIn } = require('../../servers/stand-in.js');

let pool;

async function userById(id) {
  const connection = await pool.connect();
  try {
    if (id % 5 === 0) return undefined;
    const { rows } = await connection.query('SELECT id, name FROM users WHERE id = $1', [id]);
    return rows[0];
  } finally {
    connection.release();
  }
}

const app = express();
app.get('/users/:id', async (req, res) => {
  const user = await userById(Number(req.params.id));
  if (!user) res.status(404);
  res.json(user ?? null);
});

drive({
  units: 20,
  async start() {
    pool = new Pool({ host: '127.0.0.1', port: await standIn('pg.js'), user: 'shop', max: 10_000 });
    return client(await listening(app.listen(0, '127.0.0.1')));
  },
  async unit(i, get) {
    const { status } = await get(`/users/${i % 100}`);
    if (status !== (i % 5 === 0 ? 404 : 200)) throw new Error(`status ${status}`);
  },
});
