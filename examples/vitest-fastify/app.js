import fastify from 'fastify';

class Visit {
  constructor(request) {
    this.url = request.url;
    this.at = new Date();
  }
}

/** A service that knows its last visits; with `keeps: Infinity`, all of them. */
export function createApp({ keeps = 50 } = {}) {
  const visits = [];
  const app = fastify();
  app.addHook('onRequest', async (request) => {
    visits.push(new Visit(request));
    if (visits.length > keeps) visits.shift();
  });
  app.get('/users/:id', async (request) => ({ id: request.params.id, visits: visits.length }));
  return app;
}
