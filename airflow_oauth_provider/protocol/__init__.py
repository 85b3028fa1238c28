"""The OAuth messages and decisions, without any I/O.

Time and randomness enter as arguments; sending and waiting leave as effects that the layers
above carry out. Nothing here imports Airflow, an HTTP library, asyncio, time, logging, socket or os.
"""
