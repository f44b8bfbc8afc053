'use strict';

const vm = require('node:vm');

const NOUNS = [
  'Account', 'Address', 'Basket', 'Campaign', 'Carrier', 'Catalog', 'Coupon', 'Customer', 'Delivery', 'Discount',
  'Invoice', 'Ledger', 'Member', 'Message', 'Notice', 'Offer', 'Order', 'Parcel', 'Payment', 'Permit',
  'Product', 'Profile', 'Quote', 'Refund', 'Review', 'Shipment', 'Stock', 'Ticket', 'Voucher', 'Wallet',
];
const KINDS = ['', 'Event', 'Entry', 'View', 'Query', 'Command', 'Snapshot', 'Policy', 'Cursor', 'Batch'];
const FIELDS = [
  'id', 'owner', 'amount', 'currency', 'state', 'parent', 'tags', 'createdAt', 'updatedAt', 'notes',
  'region', 'weight', 'origin', 'total', 'lines', 'source', 'channel', 'priority', 'version', 'hash',
];

const VALUES = {
  id: 'seed',
  amount: 'seed / 7',
  weight: 'seed * 1.5',
  total: 'seed + 0.25',
  priority: 'seed & 7',
  version: 'seed & 255',
  createdAt: 'new Date(1.7e12 + seed)',
  updatedAt: 'new Date(1.7e12 + seed * 2)',
  tags: '[seed & 1, seed & 3]',
  lines: '[{ sku: seed, count: 1 }, { sku: seed + 1, count: seed & 15 }]',
  notes: '"note " + seed',
  hash: 'BigInt(seed) << 70n',
  parent: 'null',
};

/** Three hundred classes, each with its own fields and place in a script; one in three extends another. */
function shapes(random) {
  const names = NOUNS.flatMap((noun) => KINDS.map((kind) => noun + kind));
  const source = names.map((name, i) => {
    const base = i % 3 === 2 ? names[i - 1] : null;
    const fields = FIELDS.filter(() => random.next() < 0.25).concat(`own${i % 17}`);
    const body = fields.map((field) => `    this.${field} = ${VALUES[field] ?? `"${field}" + (seed % 50)`};`);
    return [
      `class ${name}${base ? ` extends ${base}` : ''} {`,
      `  constructor(seed) {${base ? ' super(seed);' : ''}`,
      ...body,
      '  }',
      `  describe() { return '${name} ' + this.id; }`,
      '}',
    ].join('\n');
  });
  const script = `${source.join('\n')}\n[${names.join(', ')}]`;
  return new vm.Script(script, { filename: '/srv/shop/models.js' }).runInThisContext();
}

module.exports = { shapes };
