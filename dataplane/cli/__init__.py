"""The runtime protocol's texts: HAProxy's command line on the stats socket, without the socket.

Pure: bytes and figures in, texts out. Nothing here waits, reads a clock or touches the board. `grammar` cuts what arrives
into commands, `commands` knows which words mean something and at which level, `arguments` reads their operands,
`session` holds what one connection has set (mode, level, severity), and the rest render answers from the plain rows of
`rows`. What is said is HAProxy's, byte for byte (management manual, 9.3); tools parse it.
"""
