"""People over HTTP and the queue: requests, tasks, links and their page."""
