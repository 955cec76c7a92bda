"""Names of servers, asked of nameservers of their own (`resolvers`), by the supervisor alone: no worker takes a turn for it.

    desk: which names, for whom -> asker: one section, its timers -> question: one name -> wires: sockets -> nameservers
    desk: what changes for whom (core.naming) -> publish.submit: one revision for all that an answer changes

`messages` is the only module that knows how a message looks (dnspython), and is loaded when the first name is asked for.
"""
