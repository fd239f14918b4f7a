"""The rehearsal model: a deterministic OpenAI-compatible server that plays the sample team over real HTTP.

It looks at nothing but the request that it receives, and answers by plain rules. It believes whatever it reads, as a
weak model would: the gate, not the model, is what keeps the money in the house.
"""
