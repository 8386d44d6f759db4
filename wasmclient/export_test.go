package wasmclient

// SubscriptionCount returns the number of subscriptions that are not cancelled.
func (c *Client) SubscriptionCount() int { return c.loop.SubscriptionCount() }
