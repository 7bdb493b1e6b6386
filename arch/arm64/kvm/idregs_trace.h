/* SPDX-License-Identifier: GPL-2.0 */
#if !defined(ARCH_ARM64_KVM_IDREGS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define ARCH_ARM64_KVM_IDREGS_TRACE_H

#include <linux/kvm_host.h>
#include <linux/tracepoint.h>

#include "idregs.h"

#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm

/*
 * Tracepoint for each value of an ID register that userspace was refused: the field to blame.
 */
TRACE_EVENT(kvm_idreg_refused,
	    TP_PROTO(const struct kvm *kvm, const struct kvm_idreg_field *field),
	    TP_ARGS(kvm, field),

	    TP_STRUCT__entry(__field(pid_t, vm)
			     __string_len(reg, field->reg, field->reg_len)
			     __string_len(name, field->name, field->name_len)
			     __string_len(rule, field->rule, field->rule_len)
			     __field(u64, asked)
			     __field(u64, limit)
			     __field(u64, host)),

	    TP_fast_assign(__entry->vm = kvm->userspace_pid;
			   __assign_str(reg);
			   __assign_str(name);
			   __assign_str(rule);
			   __entry->asked = field->asked;
			   __entry->limit = field->limit;
			   __entry->host = field->host;),

	    TP_printk("vm %d register %s field %s asked 0x%llx limit 0x%llx host 0x%llx rule %s",
		      __entry->vm, __get_str(reg), __get_str(name), __entry->asked,
		      __entry->limit, __entry->host, __get_str(rule))
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE idregs_trace

#include <trace/define_trace.h>
