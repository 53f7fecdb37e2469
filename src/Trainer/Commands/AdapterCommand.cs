using System.CommandLine;
using Ingot.Adapters;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot adapter`: puts low-rank adapters into the weights of models, and takes them out.</summary>
internal static class AdapterCommand
{
    public static Command Create()
    {
        var command = new Command("adapter", "Merge a low-rank adapter into a model's weights, or take it out again.")
        {
            CreateMerge(), CreateUnmerge(),
        };
        HelpPage.Describe(command, """
            ingot adapter merge --model gpt2 --adapter runs/jargon-lora --output jargon-gpt2
            ingot adapter unmerge --model jargon-gpt2 --adapter runs/jargon-lora --output gpt2-again
            """);
        return command;
    }

    private static Command CreateMerge()
    {
        var model = FolderOption("--model", "The base model's folder, or a run.");
        var (adapter, output) = (AdapterOption(), OutputOption());
        var command = new Command("merge", "Write a model with the adapter in its weights; it computes as fast as the base.")
        {
            model, adapter, output,
        };
        command.SetAction(result =>
            Run(AdapterMerge.Merge, result.GetRequiredValue(model), result.GetRequiredValue(adapter), result.GetRequiredValue(output)));
        HelpPage.Describe(command, "ingot adapter merge --model gpt2 --adapter runs/jargon-lora --output jargon-gpt2");
        return command;
    }

    private static Command CreateUnmerge()
    {
        var model = FolderOption("--model", "The folder of the model that the adapter is in.");
        var (adapter, output) = (AdapterOption(), OutputOption());
        var command = new Command("unmerge", "Write the base of a merged model, to the last digit but for rounding. DoRA cannot be taken "
            + "out.")
        {
            model, adapter, output,
        };
        command.SetAction(result =>
            Run(AdapterMerge.Unmerge, result.GetRequiredValue(model), result.GetRequiredValue(adapter), result.GetRequiredValue(output)));
        HelpPage.Describe(command, "ingot adapter unmerge --model jargon-gpt2 --adapter runs/jargon-lora --output gpt2-again");
        return command;
    }

    private static Option<string> AdapterOption() =>
        FolderOption("--adapter", "The adapter: a folder with adapter_config.json, or a run that trained one.");

    private static Option<string> OutputOption() => FolderOption("--output", "The new folder.");

    private static Option<string> FolderOption(string name, string description) =>
        new(name) { Description = description, Required = true, HelpName = "dir" };

    private static void Run(Action<string, string, string, Action<long, long>?> work, string model, string adapter, string output)
    {
        using (var progress = LineProgress.OfBytes())
        {
            work(ModelFolder.Find(model), ModelFolder.Find(adapter), output, progress.Report);
        }

        Console.WriteLine(output);
    }
}
