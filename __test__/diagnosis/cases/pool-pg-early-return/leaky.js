'use strict';

// A user API on PostgreSQL.

const express = require('express');
const { Pool } = require('pg');
const { client, drive, listening } = require('../../drive.js');
const { standIn } = require('../../servers/stand-in.js');

let pool; // <-- leak

async function userById(id) { // <-- leak
  const connection = await pool.connect(); // <-- leak
  if (id % 5 === 0) return undefined; // <-- leak
  const { rows } = await connection.query('SELECT id, name FROM users WHERE id = $1', [id]);
  connection.release();
  return rows[0];
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
    pool = new Pool({ host: '127.0.0.1', port: await standIn('pg.js'), user: 'shop', max: 10_000 }); // <-- leak
    return client(await listening(app.listen(0, '127.0.0.1')));
  },
  async unit(i, get) {
    const { status } = await get(`/users/${i % 100}`);
    if (status !== (i % 5 === 0 ? 404 : 200)) throw new Error(`status ${status}`);
  },
});
