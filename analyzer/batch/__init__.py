"""Many bundles in one run: sources to tasks, each task to one content-addressed result, all results to one queue.

`one.analyse_one` does the whole work of a ticket under limits; engines (`pool`, `dask_engine`) only decide where it runs.
"""
