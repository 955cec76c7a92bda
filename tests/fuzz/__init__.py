"""Coverage-guided fuzzing of whatever reads bytes that somebody else wrote (`make fuzz`), and the replay of what it once found.

targets.py and the modules beside it say what must hold for any bytes; __main__.py runs libFuzzer over them, by atheris, one process
for each; test_replay.py runs what is in corpus/ and crashes/ through them, which needs no atheris.
"""
