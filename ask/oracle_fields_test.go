package ask_test

import (
	"math"
	"strings"
)

// fields are those that a question can part crashes by.
var fields = map[string]func(c *crash) string{
	"version": version, "os": func(c *crash) string { return c.OS }, "os_pretty_version": func(c *crash) string { return or(c.facts.OSPrettyVersion, "") },
	"channel": func(c *crash) string { return c.Channel }, "process_type": func(c *crash) string { return c.ProcessType }, "cpu_arch": func(c *crash) string { return c.CPUArch },
	"build_id": build, "product": func(c *crash) string { return c.Product }, "reason": func(c *crash) string { return c.Reason },
}

func installsByVersion(o *oracle, a asked) *answer {
	out := newAnswer("product version crashes installs crashes_per_install")
	for of, all := range group(of(o.scope(a), a.text("signature")), func(c *crash) [2]string { return [2]string{c.Product, c.Version} }) {
		out.add(of[0], of[1], len(all), installs(all), perInstall(all))
	}
	return out.by("-crashes", "product", "version")
}

func uptime(o *oracle, a asked) *answer {
	out := newAnswer("_order ran crashes estimated percent at_startup")
	all := of(o.scope(a), a.text("signature"))
	names := []string{"below 1 min", "1 to 5 min", "5 to 15 min", "15 to 60 min", "60 min and more", "unknown"}
	for at, ran := range group(all, func(c *crash) int {
		if c.facts.Uptime == nil {
			return len(names) - 1
		}
		for i, minutes := range []int64{1, 5, 15, 60} {
			if *c.facts.Uptime < minutes*60 {
				return i
			}
		}
		return len(names) - 2
	}) {
		out.add(at, names[at], len(ran), estimated(ran), round(weighed(ran, all), 2), count(ran, (*crash).atStart))
	}
	return out.by("_order")
}

func days(o *oracle, a asked) *answer {
	out := newAnswer("day part crashes estimated")
	for of, all := range group(of(o.scope(a), a.text("signature")), func(c *crash) [2]string { return [2]string{c.day, fields[a.text("by")](c)} }) {
		out.add(of[0], of[1], len(all), estimated(all))
	}
	return out.by("day", "-crashes", "part")
}

func facet(o *oracle, a asked) *answer {
	out := newAnswer("value crashes estimated percent installs signatures")
	all := of(o.scope(a), a.text("signature"))
	for value, hit := range group(all, fields[a.text("by")]) {
		out.add(value, len(hit), estimated(hit), round(weighed(hit, all), 2), installs(hit), len(bySignature(hit)))
	}
	return out.by("-estimated", "value").most(a.number("limit"))
}

// gpus are named, or have the id of the name that nobody knows.
func gpus(o *oracle, a asked) *answer {
	out := newAnswer("vendor device driver crashes installs")
	with := only(of(o.scope(a), a.text("signature")), func(c *crash) bool { return c.said("AdapterVendorID") != nil })
	named := func(c *crash, name *string, id string) any {
		if name != nil {
			return *name
		}
		return c.said(id)
	}
	for of, all := range group(with, func(c *crash) [3]any {
		return [3]any{named(c, c.facts.GPUVendor, "AdapterVendorID"), named(c, c.facts.GPUDevice, "AdapterDeviceID"), c.said("AdapterDriverVersion")}
	}) {
		out.add(of[0], of[1], of[2], len(all), installs(all))
	}
	return out.by("-crashes", "vendor", "device", "driver").most(a.number("limit"))
}

func devices(o *oracle, a asked) *answer {
	out := newAnswer("abi manufacturer model api crashes installs")
	android := only(of(o.scope(a), a.text("signature")), func(c *crash) bool { return c.OS == "Android" })
	for of, all := range group(android, func(c *crash) [4]any {
		return [4]any{c.said("Android_CPU_ABI"), c.said("Android_Manufacturer"), c.said("Android_Model"), opt(c.facts.AndroidAPILevel)}
	}) {
		out.add(of[0], of[1], of[2], of[3], len(all), installs(all))
	}
	return out.by("-crashes", "abi", "manufacturer", "model", "api").most(a.number("limit"))
}

// hardwareClusters compares a signature's share on a processor with its share on all that are
// known.
func hardwareClusters(o *oracle, a asked) *answer {
	out := newAnswer("cpu_info microcode crashes all_crashes installs times_as_frequent")
	all := only(o.scope(a), func(c *crash) bool { return c.CPUInfo != "" })
	usual := float64(len(of(all, a.text("signature")))) / float64(len(all))
	for cpu, there := range group(all, func(c *crash) [2]string { return [2]string{c.CPUInfo, or(c.facts.CPUMicrocode, "")} }) {
		if hit := of(there, a.text("signature")); len(hit) >= a.number("least") {
			out.add(cpu[0], cpu[1], len(hit), len(there), installs(hit), round(float64(len(hit))/float64(len(there))/usual, 2))
		}
	}
	return out.by("-times_as_frequent", "cpu_info", "microcode").most(a.number("limit"))
}

// has are the values of a crash that correlations counts.
func (c *crash) has() map[[2]string]bool {
	text := func(name string) string { return c.public[name] }
	start := ""
	if c.facts.StartupCrash != nil {
		start = map[bool]string{true: "true", false: "false"}[*c.facts.StartupCrash]
	}
	out := map[[2]string]bool{
		{"os", or(c.facts.OSPrettyVersion, c.OS)}: true, {"arch", c.CPUArch}: true, {"process", c.ProcessType}: true, {"version", c.Version}: true, {"channel", c.Channel}: true,
		{"gpu", or(c.facts.GPUVendor, "") + " " + or(c.facts.GPUDevice, "")}: true, {"driver", text("AdapterDriverVersion")}: true,
		{"microcode", or(c.facts.CPUMicrocode, "")}: true, {"cpu", c.CPUInfo}: true, {"startup", start}: true, {"reason", c.Reason}: true,
		{"device", text("Android_Model")}: true, {"locale", text("useragent_locale")}: true,
	}
	for _, m := range c.Modules {
		out[[2]string{"module", m.Filename}] = true
	}
	for pair := range out {
		if strings.TrimSpace(pair[1]) == "" {
			delete(out, pair)
		}
	}
	return out
}

// correlations compare with the other crashes of the products that the signature is of.
func correlations(o *oracle, a asked) *answer {
	out := newAnswer("field value here others here_percent others_percent deviations")
	inTime := o.scope(a)
	products := group(of(inTime, a.text("signature")), func(c *crash) string { return c.Product })
	here, others := map[[2]string]int{}, map[[2]string]int{}
	allHere, allOthers := 0, 0
	for _, c := range inTime {
		if products[c.Product] == nil {
			continue
		}
		in := others
		if c.Signature == a.text("signature") {
			in = here
			allHere++
		} else {
			allOthers++
		}
		for pair := range c.has() {
			in[pair]++
		}
	}
	n, m := float64(allHere), float64(allOthers)
	for pair, k := range here {
		x, y := float64(k), float64(others[pair])
		both := (x + y) / (n + m)
		deviations := round((x/n-y/m)/math.Sqrt(max(both*(1-both), 1e-9)*(1/n+1/m)), 1)
		if k >= a.number("least") && deviations > 0 {
			out.add(pair[0], pair[1], k, others[pair], round(percent(k, allHere), 1), round(percent(others[pair], allOthers), 1), deviations)
		}
	}
	return out.by("-deviations", "field", "value").most(a.number("limit"))
}
