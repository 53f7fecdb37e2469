using System.CommandLine;
using Ingot.Chat;
using Ingot.Data;
using Ingot.Tokenizers;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot data show`: examples as the model will see them, with what it learns marked.</summary>
internal static class DataShowCommand
{
    public static Command Create()
    {
        var data = new Option<string>("--data")
        {
            Description = "Examples: a .jsonl, .json, .yml or .txt file, or a folder of such files.",
            Required = true,
            HelpName = "path",
        };
        var tokenizer = new Option<string>("--tokenizer")
        {
            Description = "The folder with the model's tokenizer, and its chat template if it has one.",
            Required = true,
            HelpName = "dir",
        };
        var chatTemplate = new Option<string?>("--chatTemplate")
        {
            Description = "Another chat template than the folder's: a .jinja file, one of its named templates, or "
                + $"{string.Join(", ", ChatTemplate.BuiltInNames)}.",
            HelpName = "template",
        };
        Option<int> count = NumberOption.Create("count", "How many examples to show.", 1);
        Option<int> maxLength = NumberOption.Create("maxLength", "Most tokens of an example; 0 for no limit.", 0);
        Option<string> truncation =
            Choice<ExampleTruncation>("truncation", "What goes of longer examples: their last turns, their last tokens, or all.");
        Option<string> answers = Choice<LearnedAnswers>("answers", "Which answers of a conversation are learnt.");
        var command = new Command("show", "Show examples as the model will see them, with what it learns marked.")
        {
            data, tokenizer, chatTemplate, count, maxLength, truncation, answers,
        };
        command.SetAction(result => Run(
            result.GetRequiredValue(data),
            result.GetRequiredValue(tokenizer),
            result.GetValue(chatTemplate),
            result.GetValue(count),
            new ExampleEncoderOptions
            {
                MaxLength = result.GetValue(maxLength),
                Truncation = Enum.Parse<ExampleTruncation>(result.GetRequiredValue(truncation), ignoreCase: true),
                Answers = Enum.Parse<LearnedAnswers>(result.GetRequiredValue(answers), ignoreCase: true),
            }));
        HelpPage.Describe(command, """
            ingot data show --data chat.jsonl --tokenizer models/qwen
            ingot data show --data dialogue/ --tokenizer models/gpt2 --chatTemplate plain --count 3
            """);
        return command;
    }

    private static int Run(string data, string folder, string? choice, int count, ExampleEncoderOptions options)
    {
        if (count < 1 || options.MaxLength < 0)
        {
            throw new TrainingOptionsException([count < 1 ? "--count must be at least 1" : "--maxLength must not be negative"]);
        }

        Tokenizer tokenizer = Tokenizer.Load(folder);
        var encoder = new ExampleEncoder(tokenizer, ChatTemplate.TryLoad(folder, choice, tokenizer), options);
        bool color = ConsoleView.IsLive;
        int shown = 0;
        foreach (TrainingExample example in ExampleFiles.Open(data).Read())
        {
            if (encoder.Encode(example) is not { } encoded)
            {
                continue;
            }

            Console.WriteLine($"{(shown == 0 ? "" : "\n")}{example.Place}: {ExamplePreview.Format(encoded, tokenizer, color)}");
            if (++shown == count)
            {
                return ExitCodes.Success;
            }
        }

        encoder.CheckTargets();
        return ExitCodes.Success;
    }

    private static Option<string> Choice<T>(string name, string description)
        where T : struct, Enum
    {
        string[] values = [.. Enum.GetNames<T>().Select(value => value.ToLowerInvariant())];
        var option = new Option<string>($"--{name}")
        {
            Description = description,
            DefaultValueFactory = _ => values[0],
            HelpName = string.Join('|', values),
        };
        option.AcceptOnlyFromAmong(values);
        return option;
    }
}
