package schema_test

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"aftershock/schema"
)

func TestIDsOfARegistryAreOnTheWire(t *testing.T) {
	builtIn, err := schema.Encode(&schema.ReprocessRequest{CrashID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	given := map[int]int{}
	for _, s := range schema.Schemas() {
		given[s.ID] = 1000 - s.ID
	}
	t.Cleanup(func() { _ = schema.UseIDs(nil) }) // nil is never refused
	if err := schema.UseIDs(given); err != nil {
		t.Fatal(err)
	}
	value, err := schema.Encode(&schema.ReprocessRequest{CrashID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if id := binary.BigEndian.Uint32(value[1:]); id != 1000-6 {
		t.Errorf("id %d is on the wire", id)
	}
	if got, err := schema.Decode[schema.ReprocessRequest](value); err != nil || got.CrashID != "a" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := schema.Decode[schema.ReprocessRequest](builtIn); !errors.Is(err, schema.ErrUnknownSchema) {
		t.Errorf("a built-in id, which can be any schema of the registry: %v", err)
	}
	delete(given, 3)
	if schema.UseIDs(given) == nil {
		t.Error("a schema without an id")
	}
	given[3] = given[4]
	if schema.UseIDs(given) == nil {
		t.Error("two schemas with one id")
	}
	for id, taken := range map[int64]bool{-1: false, 0: true, math.MaxInt32: true, math.MaxInt32 + 1: false} {
		given[3] = int(id)
		if err := schema.UseIDs(given); (err == nil) != taken {
			t.Errorf("the id %d: %v", id, err)
		}
	}
	if err := schema.UseIDs(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := schema.Decode[schema.ReprocessRequest](builtIn); err != nil {
		t.Error(err)
	}
}
