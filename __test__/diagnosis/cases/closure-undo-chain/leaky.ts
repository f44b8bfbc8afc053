// A spreadsheet service: every edit can be undone.

import fastify from 'fastify';
import { client, drive } from '../../drive.js';

interface Edit {
  row: number;
  text: string;
}

class Revision { // <-- leak
  readonly number: number;
  readonly cells: string[];

  constructor(number: number, cells: string[]) { // <-- leak
    this.number = number;
    this.cells = cells;
  }
}

class Sheet {
  private revision = new Revision(0, new Array<string>(200).fill(''));
  private undo: () => void = () => {};

  edit({ row, text }: Edit): number {
    const before = this.revision;
    const undoBefore = this.undo; // <-- leak
    const cells = [...before.cells];
    cells[row % cells.length] = text;
    this.revision = new Revision(before.number + 1, cells);
    this.undo = () => { // <-- leak
      this.revision = before;
      this.undo = undoBefore;
    };
    return this.revision.number;
  }

  back(): number {
    this.undo();
    return this.revision.number;
  }
}

const sheet = new Sheet();
const app = fastify();
app.put<{ Params: { row: string } }>('/rows/:row', async (request) => {
  const row = Number(request.params.row);
  return { revision: sheet.edit({ row, text: `row ${row}` }) };
});

drive({
  units: 25,
  async start() {
    await app.listen({ port: 0, host: '127.0.0.1' });
    return client((app.server.address() as { port: number }).port);
  },
  async unit(i: number, send: ReturnType<typeof client>) {
    const { status } = await send(`/rows/${i % 200}`, { method: 'PUT' });
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
