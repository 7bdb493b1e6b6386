#!/usr/bin/awk -f
# SPDX-License-Identifier: GPL-2.0
#
# Translate the kernel's description of CPUID features to Rust: the capability
# words, the CPUID register each of them mirrors, every feature and bug, names for
# further bits of these registers, and the bits of CR4 and EFER.
#
# Usage: awk -f gen-cpufeature-rs.awk asm/cpufeatures.h asm/cpufeature.h \
#                                     asm/kvm_host.h kvm/reverse_cpuid.h kcpuid/cpuid.csv \
#                                     uapi/asm/processor-flags.h asm/msr-index.h

function fatal(msg) {
	print FILENAME ":" FNR ": " msg > "/dev/stderr"
	failed = 1
	exit 1
}

# Only what C can see: a name in a comment is no definition.
function strip(line) {
	gsub(/\/\*[^*]*\*\//, "", line)
	return line
}

function add_word(name, value) {
	if (value != nr_words)
		fatal("word " name " is " value ", expected " nr_words)
	word_name[nr_words++] = name
	word[name] = value
}

function add_flag(name, w, bit) {
	if (bit > 31)
		fatal("flag " name " has bit " bit)
	flag_number[name] = w * 32 + bit
}

# A function of CPUID in hexadecimal, as one file writes it like the other one.
function hex(number) {
	sub(/^0x0*/, "", number)
	return number
}

# Rust has no names that begin with a digit.
function ident(name) {
	return (name ~ /^[0-9]/ ? "_" : "") name
}

function print_bits(register, module, source, nr, name, bit,	i) {
	print ""
	print "/// Numbers of the bits of " register " by name, as `" source "` has them."
	print "pub mod " module " {"
	for (i = 0; i < nr; i++)
		print "    pub const " name[i] ": u32 = " bit[name[i]] ";"
	print "}"
}

function bit_number(what, number) {
	if (number !~ /^[0-9]+$/ || number > 63)
		fatal("cannot read " what ", its bit is " number)
	return number + 0
}

function add_feature(name, w, bit) {
	if (bit > 31)
		fatal("feature " name " has bit " bit)
	if (!(name in feature_word))
		feature[nr_features++] = name
	feature_word[name] = w
	feature_bit[name] = bit
}

{ line = strip($0) }

line ~ /^#define[ \t]+NCAPINTS[ \t]/ { ncapints = $3 + 0 }
line ~ /^#define[ \t]+NBUGINTS[ \t]/ { nbugints = $3 + 0 }

# #define X86_BUG_FOO		X86_BUG(number), or X86_BUG(word*32 + bit)
line ~ /^#[ \t]*define[ \t]+X86_BUG_[A-Z0-9_]+[ \t]+X86_BUG\([ 0-9]+(\*[ ]*32[ ]*\+[ 0-9]+)?\)/ {
	sub(/^#[ \t]*define[ \t]+X86_BUG_/, "", line)
	split(line, part, /[ \t]+X86_BUG\(|\)/)
	if (split(part[2], number, /[*+]/) == 3)
		part[2] = number[1] * 32 + number[3]
	if (part[2] + 0 >= nbugints * 32)
		fatal("bug " part[1] " has number " part[2])
	bug[nr_bugs++] = part[1]
	bug_number[part[1]] = part[2] + 0
	next
}

# #define X86_FEATURE_FOO	(word*32 + bit)
line ~ /^#define[ \t]+X86_FEATURE_[A-Z0-9_]+[ \t]+\([ 0-9]+\*[ ]*32[ ]*\+[ 0-9]+\)/ {
	name = $2
	sub(/^X86_FEATURE_/, "", name)
	split(line, part, /[()*+]/)
	add_flag(name, part[2] + 0, part[4] + 0)
	add_feature(name, part[2] + 0, part[4] + 0)
	next
}

# #define [KVM_]X86_FEATURE_FOO	KVM_X86_FEATURE(word, bit)
line ~ /^#define[ \t]+(KVM_)?X86_FEATURE_[A-Z0-9_]+[ \t]+KVM_X86_FEATURE\(/ {
	name = $2
	split(line, part, /KVM_X86_FEATURE\(|,|\)/)
	gsub(/[ \t]/, "", part[2])
	if (!(part[2] in word))
		fatal("feature " name " in unknown word " part[2])
	if (sub(/^KVM_X86_FEATURE_/, "", name)) {
		scattered_word[name] = word[part[2]]
		scattered_bit[name] = part[3] + 0
	} else {
		sub(/^X86_FEATURE_/, "", name)
		add_feature(name, word[part[2]], part[3] + 0)
	}
	next
}

line ~ /^#[ \t]*define[ \t]+(KVM_)?X86_(FEATURE|BUG)_/ { fatal("cannot read " line) }

# A feature that the kernel keeps in a word of its own stands, for KVM, where
# CPUID has it.
line ~ /^[ \t]*KVM_X86_TRANSLATE_FEATURE\([A-Z0-9_]+\);/ {
	split(line, part, /[()]/)
	name = part[2]
	if (!(name in scattered_word) || !(name in feature_word))
		fatal("cannot translate feature " name)
	add_feature(name, scattered_word[name], scattered_bit[name])
	delete scattered_word[name]
	next
}

# #define X86_CR4_FOO_BIT	bit
line ~ /^#[ \t]*define[ \t]+X86_CR4_[A-Z0-9_]+_BIT[ \t]/ {
	sub(/^#[ \t]*define[ \t]+/, "", line)
	split(line, part, /[ \t]+/)
	name = part[1]
	gsub(/^X86_CR4_|_BIT$/, "", name)
	cr4[nr_cr4++] = name
	cr4_bit[name] = bit_number(part[1], part[2])
	next
}

# #define _EFER_FOO		bit
line ~ /^#[ \t]*define[ \t]+_EFER_[A-Z0-9_]+[ \t]/ {
	sub(/^#[ \t]*define[ \t]+/, "", line)
	split(line, part, /[ \t]+/)
	name = part[1]
	sub(/^_EFER_/, "", name)
	efer[nr_efer++] = name
	efer_bit[name] = bit_number(part[1], part[2])
	next
}

line ~ /^enum (cpuid_leafs|kvm_only_cpuid_leafs)/ { in_enum = 1; next }
in_enum && line ~ /^};/ { in_enum = 0; next }
in_enum && line ~ /^[ \t]+CPUID_[A-Z0-9_]+/ {
	name = line
	gsub(/[ \t]/, "", name)
	sub(/,$/, "", name)
	value = nr_words + 0
	if (split(name, part, "=") == 2) {
		name = part[1]
		value = part[2] == "NCAPINTS" ? ncapints : part[2] + 0
	}
	add_word(name, value)
	next
}

# [CPUID_1_EDX] = { 1, 0, CPUID_EDX},
line ~ /^[ \t]+\[CPUID_[A-Z0-9_]+\][ \t]*=[ \t]*\{/ {
	gsub(/[ \t]/, "", line)
	if (split(line, part, /[\[\]{},]/) < 6 || !(part[2] in word))
		fatal("cannot read " $0)
	sub(/^CPUID_/, "", part[6])
	word_at[hex(part[4]) "," part[5] "," tolower(part[6])] = word[part[2]]
	leaf[part[2]] = "Some(Leaf { function: " part[4] ", index: " part[5] ", reg: Reg::" toupper(substr(part[6], 1, 1)) tolower(substr(part[6], 2)) " })"
	next
}

# 0x7, 0, ecx, 21:17, short_name, long description
line ~ /^[ \t]*0x[0-9a-f]+,/ {
	gsub(/[ \t]/, "", line)
	if (split(line, part, ",") < 5 || part[4] !~ /^[0-9]+(:[0-9]+)?$/ || part[5] == "")
		fatal("cannot read " $0)
	place = hex(part[1]) "," part[2] "," part[3]
	if (place in word_at) {
		first = last = part[4]
		sub(/.*:/, "", first)
		for (bit = first; bit <= last + 0; bit++)
			short_name[word_at[place] * 32 + bit] = toupper(part[5])
	}
	next
}

FILENAME ~ /\.csv$/ && line !~ /^[ \t]*(#|$)/ { fatal("cannot read " $0) }

END {
	if (failed)
		exit 1
	for (name in scattered_word) {
		print "feature " name " has no translation" > "/dev/stderr"
		exit 1
	}
	if (!ncapints || !nbugints || nr_words <= ncapints || !nr_features || !nr_bugs || \
	    !nr_cr4 || !nr_efer || !(0 in short_name)) {
		print "no words, features, bugs, bits or names found: wrong files?" > "/dev/stderr"
		exit 1
	}

	print "// Generated by gen-cpufeature-rs.awk. Do not edit."
	print ""
	print "/// Number of capability words that the kernel keeps, in `x86_capability`."
	print "pub const NCAPINTS: usize = " ncapints ";"
	print "/// Number of words that the kernel keeps behind those, for bugs."
	print "pub const NBUGINTS: usize = " nbugints ";"
	print "/// Number of capability words that KVM keeps: the kernel's, and some of its own."
	print "pub const NR_KVM_CPU_CAPS: usize = " nr_words ";"
	print ""
	print "/// The register of CPUID that each capability word mirrors, none for Linux-defined words."
	print "pub const LEAVES: [Option<Leaf>; NR_KVM_CPU_CAPS] = ["
	for (i = 0; i < nr_words; i++)
		print "    " (word_name[i] in leaf ? leaf[word_name[i]] : "None") ", // " word_name[i]
	print "];"
	print ""
	print "/// The names of the capability words."
	print "pub static WORD_NAMES: [&str; NR_KVM_CPU_CAPS] = ["
	for (i = 0; i < nr_words; i++)
		print "    \"" word_name[i] "\","
	print "];"
	print ""
	print "/// Features by name, as `X86_FEATURE_*` has them."
	print "pub mod feature {"
	print "    use super::Feature;"
	print ""
	for (i = 0; i < nr_features; i++) {
		name = feature[i]
		kept = name in flag_number ? "Some(" flag_number[name] ")" : "None"
		printf "    pub const %s: Feature = Feature::new(%d, %d, %s);\n",
		       ident(name), feature_word[name], feature_bit[name], kept
		in_word[feature_word[name]] = in_word[feature_word[name]] "        " ident(name) ",\n"
		all = all "    (\"" name "\", feature::" ident(name) "),\n"
		delete short_name[feature_word[name] * 32 + feature_bit[name]]
	}
	print "}"
	print ""
	print "/// All features, with their names."
	print "pub static FEATURES: [(&str, Feature); " nr_features "] = ["
	printf "%s", all
	print "];"
	print ""
	print "/// The names that `kcpuid/cpuid.csv` has for bits that are none of these, and the bits'"
	print "/// numbers. All bits of a wider field have its name."
	print "pub static OTHER_NAMES: &[(&str, u32)] = &["
	for (i = 0; i < nr_words * 32; i++)
		if (i in short_name)
			print "    (\"" short_name[i] "\", " i "),"
	print "];"
	for (i = 0; i < nr_words; i++) {
		print ""
		print "/// Capability word `" word_name[i] "`, and the features in it."
		print "pub mod " word_name[i] " {"
		print "    pub use super::feature::{"
		printf "%s", in_word[i]
		print "    };"
		print ""
		print "    /// The word's index."
		print "    pub const WORD: usize = " i ";"
		print "}"
	}
	print ""
	print "/// The bugs that the kernel knows CPUs to have, as `X86_BUG_*` names them."
	print "pub mod bug {"
	print "    use super::Bug;"
	print ""
	for (i = 0; i < nr_bugs; i++)
		print "    pub const " ident(bug[i]) ": Bug = Bug::new(" bug_number[bug[i]] ");"
	print "}"
	print_bits("CR4", "cr4", "X86_CR4_*_BIT", nr_cr4, cr4, cr4_bit)
	print_bits("EFER", "efer", "_EFER_*", nr_efer, efer, efer_bit)
}
