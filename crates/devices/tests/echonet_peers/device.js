// A node made with npm echonet-lite: solar generation, a storage battery, a smart meter.
// Usage: node device.js ADDRESS; runs until its standard input ends, and prints what is set.
'use strict';

const dgram = require('dgram');
const address = process.argv[2];

// The library listens at 0.0.0.0 and joins a multicast group, which needs a network. Tests run several nodes
// on one machine: each listens at its own address, and the group is left out where there is no network.
const { bind, addMembership } = dgram.Socket.prototype;
dgram.Socket.prototype.bind = function (where, ...rest) {
  return bind.call(this, typeof where === 'object' ? { ...where, address } : where, ...rest);
};
dgram.Socket.prototype.addMembership = function (...group) {
  try { addMembership.apply(this, group); } catch (error) { console.error(`no multicast: ${error.message}`); }
};

const EL = require('echonet-lite');

const word = (number) => { const bytes = Buffer.alloc(4); bytes.writeInt32BE(number | 0); return [...bytes]; };
const short = (number) => [number >> 8, number & 0xff];
const map = (...codes) => codes.length < 16 ? [codes.length, ...codes] : bitmap(codes);
const bitmap = (codes) => {
  const bits = new Array(16).fill(0);
  for (const code of codes) { bits[code & 0x0f] |= 1 << ((code >> 4) - 8); }
  return [codes.length, ...bits];
};
const text = (words) => [...Buffer.alloc(12).fill(words, 0, words.length)];
const day = (first) => [].concat(...Array.from({ length: 48 }, (_, place) => word(first + place)));

// All data are written as the Appendix has them, independently of the program that is tested.
const objects = {
  '027901': {
    'e0': short(3210), 'e1': word(12345678), 'e8': short(5500), 'a1': short(5500),
  },
  '027d01': {
    'a0': word(10600), 'a1': word(9540), 'a8': word(4321000), 'a9': word(3210999),
    'c8': [...word(0), ...word(3000)], 'c9': [...word(100), ...word(2500)],
    'd0': word(10000), 'd3': word(-1500), 'da': [0x46], 'e2': word(6789), 'eb': word(0), 'ec': word(0),
  },
  '028801': {
    'd3': word(1), 'd7': [6], 'e0': word(123456), 'e1': [0x01], 'e3': word(654), 'e7': word(-777),
    'e8': [...short(0x7ffe), ...short(0x7ffe)], 'e5': [0], 'e2': [0, 0, ...day(100000)], 'e4': [0, 0, ...day(500)],
    '97': [14, 7], '98': [...short(2026), 11, 20],
    'ea': [...short(2026), 11, 20, 14, 0, 0, ...word(123450)],
    'eb': [...short(2026), 11, 20, 14, 0, 0, ...word(653)],
  },
};
const settable = { '027901': [0xa1], '027d01': [0xda, 0xeb, 0xec], '028801': [0xe5] };
for (const [eoj, its] of Object.entries(objects)) {
  Object.assign(its, {
    '80': [0x30], '82': [0, 0, 'P'.charCodeAt(0), 0], '88': [0x42], '8a': [0x00, 0x00, 0x77],
    '8c': text(`npm-${eoj.slice(0, 4)}`), '9d': map(0x80), '9e': map(...settable[eoj]),
  });
  its['9f'] = map(...Object.keys(its).map((code) => parseInt(code, 16)), 0x9f);
}

const set = (els) => {
  for (const [epc, edt] of Object.entries(els.DETAILs)) {
    if (!settable[els.DEOJ].includes(parseInt(epc, 16))) { continue; }
    objects[els.DEOJ][epc] = EL.toHexArray(edt);
    console.log(`${els.DEOJ} ${epc} ${edt}`);
    if (els.DEOJ === '028801' && epc === 'e5') {
      const which = parseInt(edt, 16);
      objects['028801'].e2 = [0, which, ...day(100000 - 48 * which)];
      objects['028801'].e4 = [0, which, ...day(500 - 2 * which)];
    }
  }
};

const heard = (rinfo, els, error) => {
  if (error || !objects[els.DEOJ]) { return; }
  if (els.ESV === EL.GET) { EL.replyGetDetail(rinfo, els, objects); }
  if (els.ESV === EL.SETC) { set(els); EL.replySetDetail(rinfo, els, objects); }
};

EL.initialize(Object.keys(objects), heard, 4, { v4: address, ignoreMe: false, autoGetProperties: false })
  .then((socket) => {
    const ready = () => console.log('ready');
    try { socket.address(); ready(); } catch { socket.once('listening', ready); }
  });
process.stdin.resume();
process.stdin.on('end', () => process.exit());
