//go:build !linux

package bench

import "context"

// Run returns ErrUnsupported.
func Run(context.Context, Config) (*Report, error) { return nil, ErrUnsupported }
