"""A name server on loopback that answers as it is told, like one in the hands of an attacker."""

import collections
import socket
import threading

from dnslib import AAAA, CNAME, QTYPE, RCODE, RR, A, DNSRecord


class Dns:
    """`dns.at(name, *addresses)`: the addresses of a name, v4 and v6 mixed. Instead of addresses a function of the number
    of the question (0, 1, ...) may give them. `cname=` is another name. What was asked is in `questions[name, type]`."""

    def __init__(self):
        self.names = {}
        self.questions = collections.Counter()
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._closing = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def at(self, name, *addresses, cname=None, ttl=60, silent=False):
        self.names[name] = (addresses, cname, ttl, silent)

    def asked(self, name):
        return self.questions[name, "A"]

    def _answer(self, question):
        reply = question.reply()
        name, kind = str(question.q.qname).rstrip("."), QTYPE[question.q.qtype]
        with self._lock:
            number = self.questions[name, kind]
            self.questions[name, kind] += 1
        if name not in self.names:
            reply.header.rcode = RCODE.NXDOMAIN
            return reply
        addresses, cname, ttl, silent = self.names[name]
        if silent:
            return None
        owner = question.q.qname
        if cname:
            reply.add_answer(RR(owner, QTYPE.CNAME, rdata=CNAME(cname), ttl=ttl))
            owner, addresses = cname, self.names[cname][0]
        if len(addresses) == 1 and callable(addresses[0]):
            addresses = addresses[0](number)
        for address in addresses:
            if (":" in address) == (kind == "AAAA"):
                packed = tuple(socket.inet_pton(socket.AF_INET6 if kind == "AAAA" else socket.AF_INET, address))
                data = AAAA(packed) if kind == "AAAA" else A(packed)
                reply.add_answer(RR(owner, question.q.qtype, rdata=data, ttl=ttl))
        return reply

    def _serve(self):
        while not self._closing:
            packet, client = self._socket.recvfrom(4096)
            if packet:
                reply = self._answer(DNSRecord.parse(packet))
                if reply is not None:
                    self._socket.sendto(reply.pack(), client)

    def close(self):
        """The thread ends first: one that still waited might go on with whoever gets the number of the descriptor."""
        self._closing = True
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()
