package signature_test

import (
	"fmt"

	"aftershock/signature"
)

func ExampleRuleset_Explain() {
	crash := &signature.Crash{
		Reason: "EXCEPTION_STACK_OVERFLOW",
		Threads: []signature.Thread{{Frames: []signature.Frame{
			{Function: "__GI_raise"},
			{Function: "__GI_abort"},
			{Function: "void app::Cache<Key, Value>::evict(unsigned long) const"},
			{Function: "main"},
		}}},
	}
	result := signature.Default().Explain(crash)
	fmt.Println(result.Signature)
	fmt.Println(result.ProtoSignature)
	fmt.Println(result.Why[len(result.Why)-1])
	// Output:
	// stackoverflow | abort | app::Cache<T>::evict
	// raise | abort | app::Cache<T>::evict | main
	// StackOverflowSignature put "stackoverflow | " in front
}
