// Package access decides who may read and publish what. Table is the one
// place that says it; every path out of the broker asks Redact, and the client
// reads the same table to hide what a user cannot do. The broker alone
// decides.
//
// Everything is denied that the table does not allow. The roles of a reader
// count together, field by field. What a reader may see as a person (the
// employee concerned, the user who started a sync) counts only where no role
// of theirs shows the event: so the form of an event depends on the roles
// alone for all but the few whom it is about, and the broker can decide it
// once for everybody with the same roles.
package access
