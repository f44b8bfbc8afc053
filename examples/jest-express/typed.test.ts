import request from 'supertest';
import { createApp } from './app';

// TypeScript, by way of Babel; `expect` knows the assertions from the types of heapwarden/jest.
interface User { id: string; underWay: number }

test('a typed test', async () => {
  const app = createApp({ forgets: true });
  const call = async (n: number): Promise<User> => (await request(app).get(`/users/${n}`)).body as User;
  await expect(call).not.toLeak({ iterations: 200 });
}, 300_000);
