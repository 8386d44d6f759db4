package httpapi

// described is nothing at the edge, where every byte of the program is
// loaded for a first request: the documents are those of yardline schema.
func (a *API) described() []route { return nil }
