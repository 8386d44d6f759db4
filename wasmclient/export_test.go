package wasmclient

// Subscribers is how many the client holds.
func (c *Client) Subscribers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.subscribers)
}
