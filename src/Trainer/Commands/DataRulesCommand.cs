using System.CommandLine;
using System.Text.Json;
using Ingot.Data.Preparation.Cleaning;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot data rules`: all rules of cleaning with their settings.</summary>
internal static class DataRulesCommand
{
    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var command = new Command("rules", "List the rules of cleaning, in the order in which they are applied.") { json };
        command.SetAction(result => Run(result.GetValue(json)));
        HelpPage.Describe(command, """
            ingot data rules
            ingot data prepare pages/ --output data --rules emails=off minWords=20
            """);
        return command;
    }

    private static int Run(bool asJson)
    {
        if (asJson)
        {
            Text.WriteJson(WriteJson);
            return ExitCodes.Success;
        }

        Console.WriteLine($"{"rule",-30} {"text",-7} {"web",-7} what it is about");
        foreach (var kind in RuleTable.All.GroupBy(rule => rule.Kind))
        {
            Console.WriteLine();
            Console.WriteLine(kind.Key switch
            {
                RuleKind.Reading => "Reading",
                RuleKind.Repair => "Changes text",
                RuleKind.Mask => "Masks text",
                RuleKind.Line => "Removes lines",
                _ => "Removes documents",
            });
            foreach (var rule in kind)
            {
                var source = rule.Source.Length > 0 ? $" ({rule.Source})" : "";
                Console.WriteLine($"  {rule.Name,-28} {Setting(rule, RuleSet.Text),-7} {Setting(rule, RuleSet.Web),-7} "
                    + $"{rule.Summary}{source}");
            }
        }

        Console.WriteLine("""

            text and web are the sets that --ruleSet begins with. --rules NAME=off, NAME=on and NAME=LIMIT change single rules; what is on for
            "on" is the limit of the set, or for rules that are off in both: 
            """.TrimEnd() + " " + string.Join(", ", RuleTable.All
                .Where(rule => rule is { InText: false, InWeb: false, Parameter: RuleParameter.Limit })
                .Select(rule => $"{rule.Name} {rule.DefaultLimit}")) + ".");
        return ExitCodes.Success;
    }

    private static string Setting(Rule rule, RuleSet set) => rule.Parameter == RuleParameter.Option ? "option" : rule.DefaultIn(set);

    private static void WriteJson(Utf8JsonWriter writer)
    {
        writer.WriteStartArray();
        foreach (var rule in RuleTable.All)
        {
            writer.WriteStartObject();
            writer.WriteString("name", rule.Name);
            writer.WriteString("kind", rule.Kind.ToString().ToLowerInvariant());
            writer.WriteString("text", Setting(rule, RuleSet.Text));
            writer.WriteString("web", Setting(rule, RuleSet.Web));
            if (rule.Parameter == RuleParameter.Limit)
                writer.WriteNumber("limit", rule.DefaultLimit);
            writer.WriteString("summary", rule.Summary);
            writer.WriteString("source", rule.Source);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
