//go:build race

package symbolicate_test

func init() { slow = true }
