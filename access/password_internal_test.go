package access

import (
	"errors"
	"testing"
)

// Of logins that wait for each other there is an end.
func TestPasswordsWaitInAQueue(t *testing.T) {
	for n, want := range map[int]error{maxHashing - 1: nil, maxHashing: ErrBusy} {
		for range n {
			queued <- struct{}{}
		}
		if _, err := nobody.is("a password of somebody"); !errors.Is(err, want) {
			t.Errorf("%d before: %v", n, err)
		}
		for range n {
			<-queued
		}
	}
}

// A name that there is not takes as long as one that there is.
func TestNobodysHashIsAsDearAsOthers(t *testing.T) {
	text, err := hashPassword("a password of somebody")
	if err != nil {
		t.Fatal(err)
	}
	h, err := readHash(text)
	if err != nil {
		t.Fatal(err)
	}
	if h.passes != nobody.passes || h.kib != nobody.kib || h.threads != nobody.threads || len(h.key) != len(nobody.key) || len(h.salt) != len(nobody.salt) {
		t.Errorf("%+v, %+v", h, nobody)
	}
	if is, err := nobody.is(""); is || err != nil {
		t.Error(is, err)
	}
}
