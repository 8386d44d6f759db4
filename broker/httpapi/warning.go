package httpapi

// A Warning is something that an operator should mend while the broker
// serves nevertheless. GET /readyz lists the warnings, and anybody may ask
// for it, so a warning has no names, addresses or secrets: the causes are in
// the broker's log.
type Warning struct {
	Code   string `json:"code"`   // stable
	Detail string `json:"detail"` // one sentence with the fault and the remedy
}

// readiness is the answer of GET /readyz while the broker serves.
type readiness struct {
	Status   string    `json:"status"`
	Warnings []Warning `json:"warnings,omitempty"`
}

// readiness returns the answer. The caller must have asked ready before.
func (a *API) readiness() readiness {
	answer := readiness{Status: "ready"}
	if a.Warnings != nil {
		answer.Warnings = a.Warnings()
	}
	return answer
}
