module;
#include <cerrno>
#include <string>
#include <string_view>

module millrace.runtime;

namespace millrace {

std::string_view name_of(IoFault fault) {
  switch (fault) {
    case IoFault::not_found:
      return "not found";
    case IoFault::already_exists:
      return "exists already";
    case IoFault::no_space:
      return "no space left";
    case IoFault::failed:
      return "input/output error";
    case IoFault::denied:
      return "not permitted";
    case IoFault::too_many_open:
      return "too many open files";
    case IoFault::locked:
      return "locked by another process";
    case IoFault::not_empty:
      return "directory not empty";
    case IoFault::invalid:
      return "invalid use";
  }
  return "unknown fault";
}

IoFault fault_of(int error_number) {
  switch (error_number) {
    case ENOENT:
      return IoFault::not_found;
    case EEXIST:
      return IoFault::already_exists;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return IoFault::no_space;
    case EACCES:
    case EPERM:
    case EROFS:
      return IoFault::denied;
    case EMFILE:
    case ENFILE:
    case ENOMEM:  // a shortage of this process or system like the others; the device is well
      return IoFault::too_many_open;
    case EWOULDBLOCK:
      return IoFault::locked;
    case ENOTEMPTY:
      return IoFault::not_empty;
    case EBADF:
    case EBUSY:
    case EINVAL:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EOPNOTSUPP:
    case EXDEV:
      return IoFault::invalid;
    default:
      return IoFault::failed;
  }
}

const char* name_of(IoKind kind) {
  switch (kind) {
    case IoKind::open:
      return "open";
    case IoKind::close:
      return "close";
    case IoKind::read:
      return "read";
    case IoKind::read_in:
      return "read_in";
    case IoKind::write:
      return "write";
    case IoKind::sync_data:
      return "sync_data";
    case IoKind::set_size:
      return "set_size";
    case IoKind::punch:
      return "punch";
    case IoKind::set_time:
      return "set_time";
    case IoKind::status:
      return "status";
    case IoKind::file_size:
      return "file_size";
    case IoKind::rename:
      return "rename";
    case IoKind::remove:
      return "remove";
    case IoKind::make_directory:
      return "make_directory";
    case IoKind::remove_directory:
      return "remove_directory";
    case IoKind::list:
      return "list";
    case IoKind::sync_directory:
      return "sync_directory";
    case IoKind::lock:
      return "lock";
    case IoKind::free_bytes:
      return "free_bytes";
  }
  return "unknown operation";
}

std::string describe(const IoError& error, std::string_view path) {
  std::string text = std::string(error.operation) + ' ' + std::string(path) + ": ";
  text += name_of(error.fault);
  if (error.number != 0) text += " (errno " + std::to_string(error.number) + ')';
  return text;
}

}  // namespace millrace
