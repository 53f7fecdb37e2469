using System.CommandLine;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot data`: from raw files to text to train on, and what the model will see of it.</summary>
internal static class DataCommand
{
    public static Command Create()
    {
        var command = new Command("data", "Make text to train on of raw files, and look at examples.")
        {
            DataPrepareCommand.Create(), DataRulesCommand.Create(), DataShowCommand.Create(),
        };
        HelpPage.Describe(command, """
            ingot data prepare pages/ --output data/pages   clean all files below a folder
            ingot data rules                                what is cleaned, and how to change it
            ingot data show --data FILE --tokenizer DIR     an example as the model will see it
            """);
        return command;
    }
}
