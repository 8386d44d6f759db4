package httpapi

// documentRoutes returns no routes at the edge, because all of the program must be loaded
// before the first request is answered. The command "yardline schema" writes the documents.
func (a *API) documentRoutes() []route { return nil }
