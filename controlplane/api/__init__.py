"""REST: one router per noun. Everything here turns HTTP into verbs of the sequencer and its answers into JSON, no more."""
