// Starts `pvm debug --dap` as the debug adapter of launch configurations of the type "pvm".

'use strict';

const vscode = require('vscode');

/** The executable that the setting `pvm.path` names, and how it becomes a debug adapter. */
class AdapterFactory {
  createDebugAdapterDescriptor(session) {
    const settings = vscode.workspace.getConfiguration('pvm', session.workspaceFolder);
    const folder = session.workspaceFolder && session.workspaceFolder.uri.fsPath;
    return new vscode.DebugAdapterExecutable(settings.get('path', 'pvm'), ['debug', '--dap'], folder ? { cwd: folder } : {});
  }
}

function activate(context) {
  context.subscriptions.push(vscode.debug.registerDebugAdapterDescriptorFactory('pvm', new AdapterFactory()));
}

function deactivate() {}

module.exports = { activate, deactivate };
