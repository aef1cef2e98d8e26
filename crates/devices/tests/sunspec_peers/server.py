"""Devices of pysunspec2's file format, encoded by pysunspec2 and served by pymodbus.

server.py DEVICES.json [--tls CA CERT KEY]

Prints {"port": N}. Every line on standard input is the number of a unit and is answered by what pysunspec2
reads in the unit's registers as they are then. Ends with its standard input.
"""

import asyncio
import json
import ssl
import sys
import tempfile

from pymodbus.server import ModbusTcpServer, ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice
from sunspec2.file.client import FileClientDevice

MARKER = [0x5375, 0x6E53]
END = [0xFFFF, 0]


class Unit:
    def __init__(self, device):
        self.base = device["base"]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(device, file)
            file.flush()
            self.device = FileClientDevice(file.name, addr=self.base + 2)
            self.device.scan()
        self.words = list(MARKER)
        for model in self.device.model_list:
            self.words += words_of(model.get_mb())
        self.words += END

    async def action(self, function, start, address, count, current, values):
        # Kept here as well, to be shown.
        if values is not None:
            self.words[address - self.base : address - self.base + count] = values
        return None

    def simulated(self, number):
        data = SimData(self.base, values=list(self.words), datatype=DataType.REGISTERS)
        return SimDevice(number, simdata=[data], action=self.action)

    def shown(self):
        at, shown = 2, {}
        for model in self.device.model_list:
            words = self.words[at : at + model.len]
            model.set_mb(b"".join(word.to_bytes(2, "big") for word in words))
            points = {name: point.cvalue for name, point in model.points.items()}
            shown[model.model_id] = {k: v for k, v in points.items() if v is not None}
            at += model.len
        return shown


def words_of(octets):
    return [int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2)]


async def main(file, *tls):
    with open(file) as devices:
        units = {device["unit"]: Unit(device) for device in json.load(devices)}
    simulated = [unit.simulated(number) for number, unit in units.items()]
    address = ("127.0.0.1", 0)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_verify_locations(tls[1])
        context.load_cert_chain(tls[2], tls[3])
        context.verify_mode = ssl.CERT_REQUIRED
        server = ModbusTlsServer(simulated, address=address, sslctx=context)
    else:
        server = ModbusTcpServer(simulated, address=address)
    await server.serve_forever(background=True)
    print(json.dumps({"port": server.transport.sockets[0].getsockname()[1]}), flush=True)
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        print(json.dumps(units[int(line)].shown()), flush=True)
    await server.shutdown()


asyncio.run(main(*sys.argv[1:]))
