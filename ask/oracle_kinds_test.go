package ask_test

import "strings"

func outOfMemory(o *oracle, a asked) *answer {
	out := newAnswer("signature crashes median_size largest median_physical_left median_virtual_left median_commit_left below_4_gib_percent median_explicit")
	of := func(name string) func(c *crash) any { return func(c *crash) any { return c.size(name) } }
	failed := of("OOMAllocationSize")
	short := only(o.scope(a), func(c *crash) bool { return failed(c) != nil || strings.HasPrefix(c.Signature, "OOM |") })
	for signature, all := range bySignature(short) {
		var largest any
		for _, c := range all {
			if size, ok := failed(c).(int); ok && (largest == nil || size > largest.(int)) {
				largest = size
			}
		}
		small := count(all, func(c *crash) bool { n, ok := c.size("TotalPhysicalMemory").(int); return ok && int64(n) < 4<<30 })
		out.add(signature, len(all), median(all, failed), largest, median(all, of("AvailablePhysicalMemory")), median(all, of("AvailableVirtualMemory")), median(all, of("AvailablePageFile")),
			round(percent(small, len(all)), 1), median(all, func(c *crash) any {
				if c.facts.MemoryMeasures == nil {
					return nil
				}
				return opt(c.facts.MemoryMeasures.Explicit)
			}))
	}
	return out.by("-crashes", "signature").most(a.number("limit"))
}

func badHardware(o *oracle, a asked) *answer {
	out := newAnswer("signature crashes flipped inconsistent suspect_percent installs")
	flipped := func(c *crash) bool { return c.facts.BitFlipPercent != nil && *c.facts.BitFlipPercent >= 25 }
	inconsistent := func(c *crash) bool { return len(c.facts.CrashInconsistencies) > 0 }
	for signature, all := range bySignature(o.scope(a)) {
		if len(all) >= a.number("least") {
			out.add(signature, len(all), count(all, flipped), count(all, inconsistent),
				round(percent(count(all, func(c *crash) bool { return flipped(c) || inconsistent(c) }), len(all)), 1), installs(all))
		}
	}
	return out.by("-suspect_percent", "-crashes", "signature").most(a.number("limit"))
}

func hangs(o *oracle, a asked) *answer {
	out := newAnswer("progress phase channel_error crashes signatures")
	for of, all := range group(only(o.scope(a), (*crash).hung), func(c *crash) [3]string {
		return [3]string{c.public["ShutdownProgress"], or(c.facts.AsyncShutdownPhase, ""), c.public["ipc_channel_error"]}
	}) {
		out.add(of[0], of[1], of[2], len(all), anything{})
	}
	return out.by("-crashes", "progress", "phase", "channel_error").most(a.number("limit"))
}

// dangerous takes a write, or an execution, that is away from null: of an address that is no
// address, or that nothing is known about.
func dangerous(o *oracle, a asked) *answer {
	out := newAnswer("signature crashes dangerous wild_writes executions non_canonical null_pointers aborts installs")
	kind := func(is string) func(c *crash) bool {
		return func(c *crash) bool { return or(c.facts.AddressKind, "") == is }
	}
	writes := func(c *crash) bool { return kind("")(c) && strings.Contains(or(c.facts.MemoryAccess, ""), "write") }
	executes := func(c *crash) bool { return !kind("null-pointer")(c) && strings.Contains(c.Reason, "_EXEC") }
	aborts := func(c *crash) bool {
		return strings.HasPrefix(c.Reason, "SIGABRT") || strings.Contains(c.Reason, "BREAKPOINT")
	}
	for signature, all := range bySignature(o.scope(a)) {
		worst := count(all, func(c *crash) bool { return writes(c) || executes(c) || kind("non-canonical")(c) })
		if worst > 0 {
			out.add(signature, len(all), worst, count(all, writes), count(all, executes), count(all, kind("non-canonical")), count(all, kind("null-pointer")), count(all, aborts), installs(all))
		}
	}
	return out.by("-dangerous", "signature").most(a.number("limit"))
}

func startup(o *oracle, a asked) *answer {
	out := newAnswer("product version crashes at_startup within_a_minute installs startup_percent signatures")
	for of, all := range group(o.scope(a), func(c *crash) [2]string { return [2]string{c.Product, c.Version} }) {
		start := only(all, (*crash).atStart)
		soon := count(all, func(c *crash) bool { return c.facts.Uptime != nil && *c.facts.Uptime < 60 })
		out.add(of[0], of[1], len(all), len(start), soon, installs(start), round(percent(len(start), len(all)), 1), anything{})
	}
	return out.by("-at_startup", "product", "version").most(a.number("limit"))
}
