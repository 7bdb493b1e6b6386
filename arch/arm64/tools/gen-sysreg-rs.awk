#!/bin/awk -f
# SPDX-License-Identifier: GPL-2.0
# gen-sysreg-rs.awk: arm64 system registers, described for Rust
#
# Usage: awk -f gen-sysreg-rs.awk arch/arm64/tools/sysreg arch/arm64/include/asm/sysreg.h
#
# For CTR_EL0, each register among S3_0_0_C<1-7>_<0-7>, HCR_EL2 and HCRX_EL2 a module: a Register,
# and a module for each of its fields from the highest bit to the lowest, with a Field and its
# values. Reserved bits are fields too, named as gen-sysreg.awk names them. Of all other registers
# there are name and encoding; sysreg.h has those that sysreg lacks. The types are in
# rust/kernel/cpufeature/arm64.rs.

function fatal(msg) {
	print "Error at " FILENAME ":" NR ": " msg > "/dev/stderr"
	failed = 1
	exit 1
}

# A register's encoding.
function encode(name, numbers) {
	if (!(name in encoded))
		encodings = encodings "    /// `" name "`.\n" \
			    "    pub const " name ": super::SysReg =\n" \
			    "        super::SysReg::new(\"" name "\", [" numbers "]);\n"
	encoded[name] = 1
}

# Start a field: what it is, its bits and its name. Bits must follow those of the one before.
function field(kind, bits, name, _bits) {
	if (split(bits, _bits, ":") == 1)
		_bits[2] = _bits[1]
	msb = _bits[1]
	lsb = _bits[2]
	if (msb !~ /^[0-9]+$/ || lsb !~ /^[0-9]+$/ || msb + 0 != next_bit || lsb + 0 > msb + 0)
		fatal("bits " bits " of " reg " where bit " next_bit " was expected")
	next_bit = lsb - 1
	if (name == "")
		name = toupper(kind) "_" msb "_" lsb
	fields = fields name "::FIELD, "
	print ""
	print "    /// `" reg "." name "`, bits " msb ":" lsb "."
	print "    pub mod " name " {"
	print "        use super::super::*;"
	print "        /// The field."
	printf "        pub const FIELD: Field = Field::new(\"%s\", [%d, %d], Kind::%s, VALUES);\n",
	       name, msb, lsb, kind
	print "        /// The names of its values."
	printf "        pub const VALUES: Values = &["
	constants = ""
	if (is_id)
		values = values "    (\"" reg "\", \"" name "\", " reg "::" name "::VALUES),\n"
}

# End it, with the values that it has.
function end_field() {
	print "];"
	print constants "    }"
	in_values = 0
}

BEGIN {
	print "// Generated file - do not edit"
}

END {
	if (failed)
		exit 1
	if (reg != "")
		fatal("no end of " reg)
	if (count == 0)
		fatal("no ID registers")
	print "\n/// All system registers."
	print "pub mod sysreg {"
	printf "%s", encodings
	print "}"
	print "\n/// All ID registers that are described."
	print "pub const REGISTERS: [Register; " count "] = [\n" list "];"
	print "\n/// All fields with their registers, by name, and the names of their values."
	print "pub const VALUES: &[(&str, &str, Values)] = &[\n" values "];"
	count = 0
	list = ""
	for (crm = 1; crm <= 7; crm++) {
		for (op2 = 0; op2 <= 7; op2++) {
			if ((crm, op2) in seen)
				continue
			count++
			list = list "    Register::unallocated(\"S3_0_0_C" crm "_" op2 "\", " crm ", " op2 "),\n"
		}
	}
	print "\n/// All others among them, which the architecture has not allocated."
	print "pub const UNALLOCATED: [Register; " count "] = [\n" list "];"
}

/^#define[ \t]+SYS_[A-Za-z0-9_]+[ \t]+sys_reg\([0-9, ]+\)/ {
	sub(/^#define[ \t]+SYS_/, "")
	name = $1
	sub(/^[^(]*\(/, "")
	sub(/\).*/, "")
	encode(name, $0)
	next
}

FILENAME ~ /\.h$/ || /^$/ || /^[\t ]*#/ { next }

reg == "" && $1 == "Sysreg" {
	encode($2, $3 ", " $4 ", " $5 ", " $6 ", " $7)
	is_id = ($3 == 3 && $4 == 0 && $5 == 0 && $6 >= 1 && $6 <= 7) || $2 == "CTR_EL0"
	if (!is_id && $2 != "HCR_EL2" && $2 != "HCRX_EL2")
		next
	reg = $2
	next_bit = 63
	fields = ""
	if (is_id) {
		count++
		seen[$6, $7] = 1
		list = list "    " reg "::REGISTER,\n"
	}
	print "\n/// `" reg "`."
	print "pub mod " reg " {"
	next
}

reg == "" { next }

$1 == "EndSysreg" {
	if (next_bit != -1)
		fatal("bits " next_bit ":0 of " reg " are undescribed")
	print "\n    /// The register."
	print "    pub const REGISTER: super::Register = super::Register {"
	print "        name: \"" reg "\","
	print "        encoding: super::sysreg::" reg ".encoding,"
	print "        fields: &[" fields "],"
	print "    };"
	print "}"
	reg = ""
	next
}

$1 == "Res0" || $1 == "Res1" || $1 == "Raz" {
	field($1, $2, "")
	end_field()
	next
}

$1 == "Field" {
	field("Number", $2, $3)
	end_field()
	next
}

$1 == "Enum" || $1 == "UnsignedEnum" || $1 == "SignedEnum" {
	field($1 == "SignedEnum" ? "Signed" : "Unsigned", $2, $3)
	in_values = 1
	next
}

in_values && $1 == "EndEnum" {
	end_field()
	next
}

in_values && $1 ~ /^0b[01]+$/ && NF == 2 {
	if (length($1) - 2 > msb - lsb + 1)
		fatal("value " $1 " is wider than " reg "'s field")
	name = ($2 ~ /^[0-9]/ ? "_" : "") $2
	printf "(\"%s\", %s), ", $2, name
	constants = constants "        /// " $1 ".\n        pub const " name ": u64 = " $1 ";\n"
	next
}

{ fatal("unhandled statement in " reg) }
