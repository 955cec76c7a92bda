"""Health checks: what servers are asked, what their answers mean, and when they are asked again.

    counter   rise and fall: when results in a row change a state, and how soon the next check is due   pure
    result    the names of results, their words, and the lines about them                               pure
    http      requests and answers of HTTP checks                                                        pure
    run       one check as a conversation: bytes in, what to do next out                                 pure
    protocols answers of other protocols: SMTP, MySQL, PostgreSQL, Redis, LDAP, SPOP (`spop`), TLS       pure
    agent     the words an agent may say                                                                 pure
    watch     a server with its counters and last results                                                pure
    errors    errors in a row of observed traffic, over all workers                                      pure
    dialogue  one conversation over a socket
    checker   all of them on one loop: when each is due, and what becomes of what they found

What is found goes through the supervisor's one door as ordered changes (`dataplane.core.changes.SetHealth`), many of the same
moment as one revision; nothing here writes to the board. Facts: HAProxy's manual, 5.2 and 4.2.
"""
