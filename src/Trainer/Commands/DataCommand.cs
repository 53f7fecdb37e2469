using System.CommandLine;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot data`: from raw files to text to train on.</summary>
internal static class DataCommand
{
    public static Command Create()
    {
        var command = new Command("data", "Make text to train on of raw files.") { DataPrepareCommand.Create(), DataRulesCommand.Create() };
        HelpPage.Describe(command, """
            ingot data prepare pages/ --output data/pages   clean all files below a folder
            ingot data rules                                what is cleaned, and how to change it
            """);
        return command;
    }
}
