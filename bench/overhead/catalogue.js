'use strict';

// What both sides of the load know: a shop's goods, orders of them, and what the JSON API has to answer. The load's side works the answers out
// by itself, so that a server that answers something else is noticed.

const GOODS = 5000;
const LINES = 50;
const ORDERS = 32;

const goods = new Map(Array.from({ length: GOODS }, (_, i) => [`sku-${i}`, {
  name: `Article number ${i} of the autumn catalogue`, category: `category-${i % 40}`, priceCents: 100 + ((i * 7919) % 90_000), stock: (i * 31) % 500,
}]));

/** The order with this number, as a client posts it. */
function order(number) {
  return {
    customer: `customer-${number}`,
    lines: Array.from({ length: LINES }, (_, i) => ({ sku: `sku-${(number * 977 + i * 131) % GOODS}`, quantity: 1 + ((number + i) % 9) })),
  };
}

/** What an order costs, line by line, dearest first: some 10 KB as JSON. */
function quote({ customer, lines }) {
  const priced = lines.map(({ sku, quantity }) => {
    const { name, category, priceCents, stock } = goods.get(sku);
    return { sku, name, category, quantity, priceCents, totalCents: priceCents * quantity, isInStock: stock >= quantity, delivery: stock >= quantity ? 'tomorrow' : 'in two weeks' };
  });
  priced.sort((a, b) => b.totalCents - a.totalCents);
  const byCategory = {};
  for (const { category, totalCents } of priced) byCategory[category] = (byCategory[category] ?? 0) + totalCents;
  return { customer, totalCents: priced.reduce((sum, { totalCents }) => sum + totalCents, 0), byCategory, lines: priced };
}

/** What is asked of each app, and the text that has to come back. */
const REQUESTS = {
  hello: [{ method: 'GET', path: '/', answer: '{"hello":"world"}' }],
  api: Array.from({ length: ORDERS }, (_, number) => ({
    method: 'POST', path: `/quotes/${number}`, headers: { 'content-type': 'application/json' },
    body: JSON.stringify(order(number)), answer: JSON.stringify(quote(order(number))),
  })),
};

module.exports = { REQUESTS, quote };
