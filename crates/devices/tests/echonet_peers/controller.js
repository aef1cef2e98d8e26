// A controller made with npm echonet-lite: asks a node for its objects and their properties, sets some, and
// prints what it was told as JSON: frames as the library takes them apart.
// Usage: node controller.js ADDRESS NODE REQUEST…; a request is OBJECT:ESV:CODE[=DATA][,CODE[=DATA]…].
'use strict';

const dgram = require('dgram');
const [address, node, ...requests] = process.argv.slice(2);

const { bind, addMembership } = dgram.Socket.prototype;
dgram.Socket.prototype.bind = function (where, ...rest) {
  return bind.call(this, typeof where === 'object' ? { ...where, address } : where, ...rest);
};
dgram.Socket.prototype.addMembership = function (...group) {
  try { addMembership.apply(this, group); } catch (error) { console.error(`no multicast: ${error.message}`); }
};

const EL = require('echonet-lite');

const answers = [];
let next = 0;
const ask = () => {
  if (next === requests.length) {
    console.log(JSON.stringify(answers));
    process.exit();
  }
  const [object, service, properties] = requests[next++].split(':');
  const details = properties.split(',').map((property) => {
    const [code, data] = property.split('=');
    return { [code]: data || '' };
  });
  EL.sendDetails(node, '05ff01', object, service, details);
};
const heard = (rinfo, els, error) => {
  if (error || rinfo.address !== node) { return; }
  answers.push({ from: els.SEOJ, service: els.ESV, properties: els.DETAILs });
  ask();
};

// The library itself asks whoever tells it of a property map, a list of objects: only answers to what was
// asked here are of interest.
EL.initialize(['05ff01'], heard, 4, { v4: address, ignoreMe: false, autoGetProperties: false }).then((socket) => {
  try { socket.address(); ask(); } catch { socket.once('listening', ask); }
});
setTimeout(() => { console.error('no answer'); process.exit(1); }, 20000);
