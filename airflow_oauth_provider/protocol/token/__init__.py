"""From settings to a token: request, response, retries, discovery, key."""
