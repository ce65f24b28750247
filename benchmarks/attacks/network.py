"""Attempts to reach somebody."""

import os
import socket
import struct
from typing import Any

from attacks.trying import LIBC, attempt


@attempt("network")
def tcp_to_the_hosts_loopback(facts: dict[str, Any]) -> object:
    with socket.create_connection(("127.0.0.1", facts["tcp"]), timeout=1) as line:
        return line.sendall(b"escaped") or "connected"


@attempt("network")
def tcp_to_the_hosts_own_address(facts: dict[str, Any]) -> object:
    with socket.create_connection((facts["address"], facts["tcp"]), timeout=1):
        return "connected"


@attempt("network")
def tcp_to_the_world(facts: dict[str, Any]) -> object:
    with socket.create_connection(("1.1.1.1", 443), timeout=1):
        return "connected"


@attempt("network")
def tcp_over_ipv6(facts: dict[str, Any]) -> object:
    with socket.create_connection(("2606:4700:4700::1111", 443), timeout=1):
        return "connected"


@attempt("network")
def udp_to_the_host(facts: dict[str, Any]) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.sendto(b"escaped", ("127.0.0.1", facts["udp"]))


@attempt("network")
def udp_to_the_world(facts: dict[str, Any]) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        return line.sendto(b"escaped", ("8.8.8.8", 53))


@attempt("network")
def a_name_is_looked_up(facts: dict[str, Any]) -> object:
    return socket.getaddrinfo("example.com", 80)


@attempt("network")
def metadata_service(facts: dict[str, Any]) -> object:
    with socket.create_connection(("169.254.169.254", 80), timeout=1):
        return "connected"


@attempt("network")
def a_unix_socket_in_the_directory(facts: dict[str, Any]) -> object:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect("real.sock")
        return "connected"


@attempt("network")
def a_unix_socket_outside(facts: dict[str, Any]) -> object:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(facts["outside"] + "/real.sock")
        return "connected"


@attempt("network")
def a_unix_socket_in_a_readable_folder(facts: dict[str, Any]) -> object:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(facts["readable"] + "/real.sock")
        return "connected"


@attempt("network")
def an_abstract_unix_socket(facts: dict[str, Any]) -> object:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect("\0" + facts["abstract"])
        return "connected"


@attempt("network")
def vsock_to_the_hypervisor(facts: dict[str, Any]) -> object:
    return socket.socket(40, socket.SOCK_STREAM)


@attempt("network")
def raw_packets(facts: dict[str, Any]) -> object:
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW)


@attempt("network")
def raw_ip(facts: dict[str, Any]) -> object:
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


@attempt("network")
def netlink_to_the_firewall(facts: dict[str, Any]) -> object:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)


@attempt("network")
def netlink_adds_an_interface(facts: dict[str, Any]) -> object:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as line:
        name = b"dummy0\0\0"
        kind = struct.pack("HH", 10, 1) + b"dummy\0\0\0"[:6] + b"\0\0"
        body = struct.pack("BxHiII", 0, 0, 0, 0, 0) + struct.pack("HH", 12, 3) + name
        body += struct.pack("HH", 4 + len(kind), 18) + kind
        line.send(struct.pack("IHHII", 16 + len(body), 16, 0x605, 1, 0) + body)
        return struct.unpack("i", line.recv(4096)[16:20])[0] == 0


@attempt("network")
def an_inherited_namespace(facts: dict[str, Any]) -> object:
    descriptor = os.open(f"/proc/{facts['parent']}/ns/net", os.O_RDONLY)
    return LIBC.setns(descriptor, 0) == 0
