// Transfers between accounts on MySQL; one in six fails.

import fastify from 'fastify';
import mysql from 'mysql2/promise';
import drivers from '../../drive.js';
import standIns from '../../servers/stand-in.js';

const { client, drive } = drivers;
const pool = mysql.createPool({
  host: '127.0.0.1', port: await standIns.standIn('mysql.js'), user: 'bank', connectionLimit: 10_000,
});

async function transfer(from, to) {
  const connection = await pool.getConnection();
  try {
    await connection.query('BEGIN');
    await connection.query(`CALL transfer(${from}, ${to})`);
    await connection.query('COMMIT');
  } catch (error) {
    await connection.query('ROLLBACK');
    throw error;
  } finally {
    connection.release();
  }
}

const app = fastify();
app.post('/transfers/:from/:to', async (request, reply) => {
  try {
    await transfer(request.params.from, request.params.to);
    return { done: true };
  } catch {
    return reply.code(409).send({ done: false });
  }
});

await drive({
  units: 18,
  async start() {
    await app.listen({ port: 0, host: '127.0.0.1' });
    return client(app.server.address().port);
  },
  async unit(i, get) {
    const { status } = await get(`/transfers/${i % 90}/${i % 6 === 0 ? 'closed' : 7}`, { method: 'POST' });
    if (status !== (i % 6 === 0 ? 409 : 200)) throw new Error(`status ${status}`);
  },
});
