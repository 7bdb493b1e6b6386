#!/bin/awk -f
# SPDX-License-Identifier: GPL-2.0
# gen-sysreg-rs.awk: arm64 ID registers, described for Rust
#
# Usage: awk -f gen-sysreg-rs.awk sysreg
#
# For each register that KVM keeps per VM and shows as an ID register, CTR_EL0 and S3_0_0_C<1-7>_<0-7>,
# a Register: its name, its encoding, and its fields from the highest bit to the lowest. Reserved bits
# are fields too, named as gen-sysreg.awk names them; so are all bits of encodings without a register.

function fatal(msg) {
	print "Error at " FILENAME ":" NR ": " msg > "/dev/stderr"
	failed = 1
	exit 1
}

# Start a field: its constructor, its bits and its name. Bits must follow those of the one before.
function field(constructor, bits, name, _bits) {
	if (split(bits, _bits, ":") == 1)
		_bits[2] = _bits[1]
	msb = _bits[1]
	lsb = _bits[2]
	if (msb !~ /^[0-9]+$/ || lsb !~ /^[0-9]+$/ || msb + 0 != next_bit || lsb + 0 > msb + 0)
		fatal("bits " bits " of " reg " where bit " next_bit " was expected")
	next_bit = lsb - 1
	if (name == "")
		name = toupper(constructor) "_" msb "_" lsb
	printf "        Field::%s(%d, %d, \"%s\"", constructor, msb, lsb, name
}

function start(name, op0, op1, crn, crm, op2) {
	reg = name
	next_bit = 63
	count++
	seen[crm, op2] = 1
	list = list "    &" reg ",\n"
	printf "pub(crate) const %s: Register = Register::new(\n", reg
	printf "    \"%s\",\n    [%d, %d, %d, %d, %d],\n    &[\n", reg, op0, op1, crn, crm, op2
}

function end() {
	print "    ],\n);\n"
	reg = ""
}

BEGIN {
	print "// Generated file - do not edit"
	print ""
}

END {
	if (failed)
		exit 1
	if (reg != "")
		fatal("no end of " reg)
	if (count == 0)
		fatal("no ID registers")
	for (crm = 1; crm <= 7; crm++) {
		for (op2 = 0; op2 <= 7; op2++) {
			if ((crm, op2) in seen)
				continue
			start("S3_0_0_C" crm "_" op2, 3, 0, 0, crm, op2)
			field("res0", "63:0", "")
			print "),"
			end()
		}
	}
	print "pub(crate) const ALL: [&Register; " count "] = ["
	printf "%s", list
	print "];"
}

/^$/ || /^[\t ]*#/ { next }

reg == "" && $1 == "Sysreg" &&
(($3 == 3 && $4 == 0 && $5 == 0 && $6 >= 1 && $6 <= 7) || $2 == "CTR_EL0") {
	start($2, $3, $4, $5, $6, $7)
	next
}

reg == "" { next }

$1 == "EndSysreg" {
	if (next_bit != -1)
		fatal("bits " next_bit ":0 of " reg " are undescribed")
	end()
	next
}

$1 == "Res0" || $1 == "Res1" || $1 == "Raz" {
	field(tolower($1), $2, "")
	print "),"
	next
}

$1 == "Field" {
	field("number", $2, $3)
	print "),"
	next
}

$1 == "Enum" || $1 == "UnsignedEnum" || $1 == "SignedEnum" {
	field($1 == "SignedEnum" ? "signed" : "unsigned", $2, $3)
	printf ", &["
	values = 1
	next
}

values && $1 == "EndEnum" {
	print "]),"
	values = 0
	next
}

values && $1 ~ /^0b[01]+$/ && NF == 2 {
	if (length($1) - 2 > msb - lsb + 1)
		fatal("value " $1 " is wider than " reg "'s field")
	printf "(\"%s\", %s), ", $2, $1
	next
}

{ fatal("unhandled statement in " reg) }
