module;
#include <string>
#include <string_view>

module millrace.storage.files;

import :error;

namespace millrace::storage {

std::string_view name_of(StorageFault fault) {
  switch (fault) {
    case StorageFault::offline:
      return "offline";
    case StorageFault::no_space:
      return "no space";
    case StorageFault::corrupt:
      return "corrupt";
    case StorageFault::not_found:
      return "not found";
    case StorageFault::already_exists:
      return "already exists";
    case StorageFault::locked:
      return "locked";
    case StorageFault::limit:
      return "limit";
    case StorageFault::invalid:
      return "invalid";
  }
  return "unknown";
}

StorageFault storage_fault(IoFault fault) {
  switch (fault) {
    case IoFault::not_found:
      return StorageFault::not_found;
    case IoFault::already_exists:
    case IoFault::not_empty:
      return StorageFault::already_exists;
    case IoFault::no_space:
      return StorageFault::no_space;
    // A file system turned read-only is as lost as a broken one: nothing can be written there.
    case IoFault::failed:
    case IoFault::denied:
      return StorageFault::offline;
    case IoFault::too_many_open:
      return StorageFault::limit;
    case IoFault::locked:
      return StorageFault::locked;
    case IoFault::invalid:
      return StorageFault::invalid;
  }
  return StorageFault::offline;
}

StorageError storage_error(const IoError& error, std::string_view path) {
  return {storage_fault(error.fault), describe(error, path), error};
}

StorageError directory_sync_error(const IoError& error, std::string_view path) {
  const bool tried = error.fault != IoFault::too_many_open;
  return {tried ? StorageFault::offline : StorageFault::limit, describe(error, path), error};
}

}  // namespace millrace::storage
